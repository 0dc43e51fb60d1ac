//! The parts of a cluster and the words that each is started with. All of them run in the node, where the cluster's
//! directory is `/run/serin`.

use super::net::Net;
use super::node::Node;
use super::place::INSIDE;
use crate::run::Stop;
use std::process::Child;

/// The host side of the listener at port 80: the Gateway's controller adds 8000 to it.
pub const GATEWAY_PORT: u16 = 8080;
/// Where Prometheus listens.
pub const PROMETHEUS_PORT: u16 = 9090;

/// etcd and the API server.
pub fn api(node: &Node, net: Net) -> Result<Vec<Child>, Stop> {
    let etcd = start(
        node,
        "etcd",
        "--data-dir=etcd --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
         --listen-peer-urls=http://127.0.0.1:2380 --unsafe-no-fsync --log-level=warn",
    )?;
    let words = format!(
        "--etcd-servers=http://127.0.0.1:2379 --bind-address={node_at} --advertise-address={node_at} \
         --secure-port=6443 --tls-cert-file=keys/server.crt --tls-private-key-file=keys/server.key \
         --client-ca-file=keys/ca.crt --token-auth-file=keys/tokens.csv --authorization-mode=Node,RBAC \
         --service-account-issuer=https://kubernetes.default.svc.cluster.local \
         --service-account-key-file=keys/sa.pub --service-account-signing-key-file=keys/sa.key \
         --service-cluster-ip-range={services} --allow-privileged=true \
         --kubelet-client-certificate=keys/kubelet-client.crt --kubelet-client-key=keys/kubelet-client.key \
         --kubelet-preferred-address-types=InternalIP \
         --audit-policy-file=conf/audit.yaml --audit-log-path=log/audit.log --audit-log-maxsize=4096",
        node_at = net.node(),
        services = net.services(),
    );
    Ok(vec![etcd, start(node, "kube-apiserver", &words)?])
}

/// The container runtime.
pub fn runtime(node: &Node) -> Result<Child, Stop> {
    start(node, "containerd", "--config=conf/containerd.toml")
}

/// What needs the API server: controllers, scheduler, kubelet, kube-proxy, DNS.
pub fn rest(node: &Node, net: Net) -> Result<Vec<Child>, Stop> {
    let loopback = "--bind-address=127.0.0.1 --leader-elect=false";
    let controllers = format!(
        "--kubeconfig=conf/controllers.kubeconfig {loopback} --root-ca-file=keys/ca.crt \
         --service-account-private-key-file=keys/sa.key --use-service-account-credentials=true"
    );
    let kubelet = format!(
        "--kubeconfig=conf/kubelet.kubeconfig --config=conf/kubelet.yaml --hostname-override=node1 --node-ip={} \
         --root-dir={INSIDE}/kubelet --cert-dir={INSIDE}/kubelet-keys",
        net.node()
    );
    let proxy = format!(
        "--kubeconfig=conf/proxy.kubeconfig --hostname-override=node1 --proxy-mode=iptables --cluster-cidr={} \
         --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 --conntrack-tcp-timeout-close-wait=0 \
         --iptables-min-sync-period=100ms --bind-address=127.0.0.1 --healthz-bind-address=127.0.0.1:10256",
        net.pods()
    );
    Ok(vec![
        start(node, "kube-controller-manager", &controllers)?,
        start(node, "kube-scheduler", &format!("--kubeconfig=conf/scheduler.kubeconfig {loopback}"))?,
        start(node, "kubelet", &kubelet)?,
        start(node, "kube-proxy", &proxy)?,
        start(node, "dns", "-quiet -conf conf/Corefile")?,
    ])
}

/// The Gateway's controller.
pub fn contour(node: &Node, net: Net) -> Result<Child, Stop> {
    let words = format!(
        "serve --no-incluster --kubeconfig conf/contour.kubeconfig --config-path conf/contour.yaml --insecure \
         --xds-address 127.0.0.1 --xds-port 18001 --envoy-service-http-address {at} --envoy-service-https-address {at} \
         --stats-address {at} --stats-port 18004 --http-address 127.0.0.1 --http-port 18002 \
         --health-address 127.0.0.1 --health-port 18003 --debug-http-port 18006 --ingress-status-address {at} \
         --disable-leader-election",
        at = net.node()
    );
    start(node, "contour", &words)
}

/// The Gateway's data plane, on what `contour bootstrap` wrote.
pub fn envoy(node: &Node) -> Result<Child, Stop> {
    start(
        node,
        "envoy",
        "-c conf/envoy.json --service-cluster gateway --service-node envoy-1 --base-id 7 --concurrency 1 -l warn",
    )
}

/// Prometheus, and what tells it which pods to ask.
pub fn prometheus(node: &Node, net: Net) -> Result<Vec<Child>, Stop> {
    let words = format!(
        "--config.file=conf/prometheus.yaml --storage.tsdb.path=prometheus --log.level=warn \
         --web.listen-address={}:{PROMETHEUS_PORT}",
        net.node()
    );
    let targets = start(node, "targets", "conf/prometheus.kubeconfig 127.0.0.1:18010")?;
    Ok(vec![targets, start(node, "prometheus", &words)?])
}

fn start(node: &Node, part: &str, words: &str) -> Result<Child, Stop> {
    node.start(part, &words.split_whitespace().collect::<Vec<_>>())
}
