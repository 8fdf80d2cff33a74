"""Find causes of alarm, keep the book of incidents, and deliver what is to be said."""
