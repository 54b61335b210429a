"""Real nodes of a sandbox: kubelet, containerd, runc and kube-proxy, each node in namespaces of its own on this machine."""
