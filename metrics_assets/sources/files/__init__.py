"""Files that people feed: CSV in a watched folder, read into typed records row by row."""
