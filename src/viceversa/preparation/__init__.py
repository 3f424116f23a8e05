"""Data sets: made of films and folders (`prepare`), and examined before training (`inspect`)."""
