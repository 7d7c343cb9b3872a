"""What comes in and goes out: bodies read and bounded, inputs checked, problems and JSON written"""
