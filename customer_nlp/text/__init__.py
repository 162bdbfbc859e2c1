"""Text on the way in: html to text once, then labelled ranges over untouched text."""
