"""Several sources of one holder: each cleaned where it is, put together by who is who, before the customer table."""
