"""Data sets: made of videos and folders (`prepare`), and examined before training (`inspect`)."""
