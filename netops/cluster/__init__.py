"""The project on Kubernetes: settings, compilation, submission, Kubeflow, checks."""
