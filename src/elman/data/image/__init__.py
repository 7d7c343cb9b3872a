"""Pictures and their captions, and features of pictures."""
