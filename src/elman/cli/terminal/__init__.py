"""What reaches a terminal: rich's consoles and tables, and the words for what was typed wrong."""
