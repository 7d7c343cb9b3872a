"""What files were understood to be, in facts that people and programs read; told by the readers that training uses."""
