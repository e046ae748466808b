"""iCalendar files (RFC 5545), whichever server has them."""
