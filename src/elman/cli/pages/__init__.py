"""Commands that show pages in a browser: one command a file"""
