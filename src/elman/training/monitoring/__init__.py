"""How a run is followed: metrics.csv, the loss curve, TensorBoard, the gradient flow."""
