"""The function that ``netops doctor --deep`` runs on the cluster, in the image of the stages."""

from importlib.metadata import version

from mlrun import MLClientCtx


def probe(context: MLClientCtx) -> None:
    """Import the library, and write a file to the artifact path, which is read and deleted again.

    Logs the versions of the library and of MLRun.
    """
    # Late: MLRun sends the code of this function to the pod, whose image has the library.
    import netops
    from netops.cluster.checks import write_and_read

    write_and_read(context.artifact_path)
    context.log_result("version", netops.__version__)
    context.log_result("mlrun", version("mlrun"))
