"""What people may ask about their own data: consents, export, correction, erasure."""
