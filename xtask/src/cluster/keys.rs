//! Keys, certificates, tokens and the files with which each part of a cluster and its administrator come in.

use super::net::Net;
use super::place::Place;
use crate::process::ask;
use crate::run::Stop;
use std::io::Read;
use std::path::Path;
use std::process::Command;

/// Who may come in by a token: the name of the file, the user, and the groups. What this project does not test may do
/// everything, but has a name of its own, by which its calls are told apart.
const USERS: [(&str, &str, &str); 8] = [
    ("admin", "admin", "system:masters"),
    ("controllers", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("kubelet", "system:node:node1", "system:nodes"),
    ("proxy", "system:kube-proxy", ""),
    ("contour", "contour", "system:masters"),
    ("dns", "dns", "system:masters"),
    ("prometheus", "prometheus", "system:masters"),
];

/// Makes everything in `keys/` and the kubeconfig of every user.
///
/// # Errors
/// When `openssl` fails or a file cannot be written.
pub fn make(place: &Place, net: Net) -> Result<(), Stop> {
    std::fs::write(place.keys("openssl.cnf"), "[req]\ndistinguished_name = name\nprompt = no\n[name]\n")?;
    openssl(
        place,
        "req -x509 -days 3650 -subj /CN=serin-cluster -keyout keys/ca.key -out keys/ca.crt",
        &["basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign"],
    )?;
    let names = format!(
        "subjectAltName=IP:{},IP:{},IP:127.0.0.1,DNS:localhost,DNS:kubernetes,DNS:kubernetes.default,\
         DNS:kubernetes.default.svc,DNS:kubernetes.default.svc.cluster.local",
        net.node(),
        net.first_service()
    );
    leaf(place, "server", &["extendedKeyUsage=serverAuth", &names])?;
    leaf(place, "kubelet-client", &["extendedKeyUsage=clientAuth"])?;
    let plain = |words: &str| ask(openssl_command(place).args(words.split(' ')));
    plain("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out keys/sa.key")?;
    plain("pkey -in keys/sa.key -pubout -out keys/sa.pub")?;
    let authority = plain("base64 -A -in keys/ca.crt")?;
    let mut tokens = String::new();
    for (file, user, groups) in USERS {
        let token = random()?;
        tokens.push_str(&format!("{token},{user},{user},\"{groups}\"\n"));
        let path = if file == "admin" { place.kubeconfig() } else { place.conf(&format!("{file}.kubeconfig")) };
        private(&path, &kubeconfig(net, &authority, user, &token))?;
    }
    private(&place.keys("tokens.csv"), &tokens)
}

fn leaf(place: &Place, name: &str, extensions: &[&str]) -> Result<(), Stop> {
    let mut all = vec!["basicConstraints=critical,CA:FALSE", "keyUsage=critical,digitalSignature"];
    all.extend(extensions);
    let words = format!(
        "req -x509 -days 3650 -CA keys/ca.crt -CAkey keys/ca.key -subj /CN={name} -keyout keys/{name}.key \
         -out keys/{name}.crt"
    );
    openssl(place, &words, &all)
}

/// `openssl req …` with a new key and these extensions.
fn openssl(place: &Place, words: &str, extensions: &[&str]) -> Result<(), Stop> {
    let mut command = openssl_command(place);
    command.args(words.split_whitespace()).args(["-config", "keys/openssl.cnf", "-sha256", "-noenc", "-newkey", "ec"]);
    command.args(["-pkeyopt", "ec_paramgen_curve:P-256"]);
    extensions.iter().for_each(|extension| {
        command.args(["-addext", extension]);
    });
    ask(&mut command)?;
    Ok(())
}

fn openssl_command(place: &Place) -> Command {
    let mut command = Command::new("openssl");
    command.current_dir(place.directory());
    command
}

/// 128 bits that nobody can guess, as text.
fn random() -> std::io::Result<String> {
    let mut bytes = [0u8; 16];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file that only its owner may read.
fn private(path: &Path, text: &str) -> Result<(), Stop> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    Ok(std::io::Write::write_all(&mut file, text.as_bytes())?)
}

fn kubeconfig(net: Net, authority: &str, user: &str, token: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\nclusters:\n\
         - name: serin\n  cluster: {{server: \"https://{}:6443\", certificate-authority-data: {}}}\nusers:\n\
         - name: \"{user}\"\n  user: {{token: {token}}}\ncontexts:\n\
         - name: serin\n  context: {{cluster: serin, user: \"{user}\"}}\ncurrent-context: serin\n",
        net.node(),
        authority.trim()
    )
}
