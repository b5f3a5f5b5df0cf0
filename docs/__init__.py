"""The project's documentation, and the program that draws a part of it."""
