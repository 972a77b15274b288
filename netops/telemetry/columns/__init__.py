"""What each column of a file is: time, device, metric, attribute, label."""
