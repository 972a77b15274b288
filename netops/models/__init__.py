"""What a model is: card, ONNX file, scaling, calibration, explanation."""
