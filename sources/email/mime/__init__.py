"""Messages (RFC 5322, MIME), whichever server has them."""
