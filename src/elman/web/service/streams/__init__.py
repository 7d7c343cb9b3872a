"""What is said bit by bit: a thread for each stream, server-sent events and WebSockets"""
