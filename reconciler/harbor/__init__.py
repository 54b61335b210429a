"""Harbor's REST objects as objects of the cluster: read beside their custom resources, written after them."""
