"""What Canaille's database and security log have and SCIM lacks."""
