"""What predicting needs beside the task's contract: inputs that come in pieces"""
