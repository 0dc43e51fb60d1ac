//! Steers the proxy that makes calls go wrong.

use super::{Stage, Wrong};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Sets a fault.
pub async fn fault(stage: &Stage, fault: &Value) -> Result<(), Wrong> {
    let (code, said) = exchange(&stage.control, "POST", "/faults", &fault.to_string()).await?;
    if code == 200 { Ok(()) } else { Err(format!("the proxy refuses {fault}: {said}")) }
}

/// How many calls of each verb and resource there were.
pub async fn calls(stage: &Stage) -> Result<Vec<(String, String, u64)>, Wrong> {
    let (_, said) = exchange(&stage.control, "GET", "/calls", "").await?;
    let said: Value = serde_json::from_str(&said).map_err(|e| format!("the proxy said {said}: {e}"))?;
    let rows = said.get("calls").and_then(Value::as_array).ok_or(format!("the proxy said {said}"))?;
    let text = |row: &Value, field: &str| row.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    let count = |row: &Value| row.get("count").and_then(Value::as_u64).unwrap_or_default();
    Ok(rows.iter().map(|row| (text(row, "verb"), text(row, "resource"), count(row))).collect())
}

async fn exchange(address: &str, method: &str, path: &str, body: &str) -> Result<(u16, String), Wrong> {
    let failed = |e: std::io::Error| format!("the proxy at {address} cannot be steered: {e}");
    let mut stream = TcpStream::connect(address).await.map_err(failed)?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: proxy\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(failed)?;
    let code = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((code, body.to_owned()))
}
