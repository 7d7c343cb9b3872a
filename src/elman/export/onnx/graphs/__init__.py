"""The networks as graphs: one module each, and the parts that they are made of."""
