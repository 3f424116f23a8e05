"""The commands, one file each: thin functions handed to tyro. Whatever is heavy they import when they run."""
