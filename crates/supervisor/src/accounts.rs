//! Users and groups by name or number, from `/etc/passwd` and `/etc/group`.
//!
//! Read as files, so that nothing is loaded into the shim for it; accounts that only a directory service knows are
//! given by number.

use rustix::process::{Gid, Uid};

/// Who a program runs as: user, group, supplementary groups.
pub(crate) type Account = (Uid, Gid, Vec<Gid>);

/// Resolves `user` and `group`; `None` when neither is asked for.
///
/// # Errors
/// A sentence that names the unknown user or group.
pub(crate) fn resolve(user: Option<&str>, group: Option<&str>) -> Result<Option<Account>, String> {
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    resolve_in(user, group, &passwd, &groups).map(Some)
}

fn resolve_in(user: Option<&str>, group: Option<&str>, passwd: &str, groups: &str) -> Result<Account, String> {
    let (name, uid, own_group) = match user {
        Some(user) => find_user(user, passwd)?,
        None => (String::new(), rustix::process::geteuid().as_raw(), None),
    };
    let gid = match (group, own_group) {
        (Some(group), _) => find_group(group, groups)?,
        (None, Some(own)) => own,
        (None, None) => {
            return Err(format!("the user {uid} is not in /etc/passwd, so its group is unknown; name a group as well"));
        }
    };
    let mut all = vec![Gid::from_raw(gid)];
    for line in groups.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [_, _, number, members] = fields[..] else { continue };
        if let Ok(number) = number.parse()
            && number != gid
            && !name.is_empty()
            && members.split(',').any(|member| member == name)
        {
            all.push(Gid::from_raw(number));
        }
    }
    Ok((Uid::from_raw(uid), Gid::from_raw(gid), all))
}

fn find_user(user: &str, passwd: &str) -> Result<(String, u32, Option<u32>), String> {
    let number: Option<u32> = user.parse().ok();
    for line in passwd.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, ..] = fields[..] else { continue };
        let (Ok(uid), Ok(gid)) = (uid.parse::<u32>(), gid.parse::<u32>()) else { continue };
        if name == user || number == Some(uid) {
            return Ok((name.to_owned(), uid, Some(gid)));
        }
    }
    match number {
        Some(uid) => Ok((String::new(), uid, None)),
        None => Err(format!("no such user: {user} is not in /etc/passwd; create it, or name another user")),
    }
}

fn find_group(group: &str, groups: &str) -> Result<u32, String> {
    for line in groups.lines() {
        let fields: Vec<&str> = line.split(':').collect();
        if let [name, _, number, ..] = fields[..]
            && name == group
            && let Ok(number) = number.parse()
        {
            return Ok(number);
        }
    }
    group.parse().map_err(|_| format!("no such group: {group} is not in /etc/group; create it, or name another group"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str = "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44::/:/bin/false\nbroken\n";
    const GROUPS: &str = "root:x:0:\nweb:x:44:\nlog:x:4:syslog,web\ntls:x:5:webby\n";

    fn numbers(user: Option<&str>, group: Option<&str>) -> Result<(u32, u32, Vec<u32>), String> {
        let (uid, gid, all) = resolve_in(user, group, PASSWD, GROUPS)?;
        Ok((uid.as_raw(), gid.as_raw(), all.iter().map(|gid| gid.as_raw()).collect()))
    }

    #[test]
    fn names_and_numbers() {
        assert_eq!(numbers(Some("web"), None).unwrap(), (33, 44, vec![44, 4]));
        assert_eq!(numbers(Some("33"), None).unwrap(), (33, 44, vec![44, 4]));
        assert_eq!(numbers(Some("web"), Some("tls")).unwrap(), (33, 5, vec![5, 4]));
        assert_eq!(numbers(Some("777"), Some("888")).unwrap(), (777, 888, vec![888]));
    }

    #[test]
    fn unknown_ones_are_named() {
        assert!(numbers(Some("nobody-here"), None).unwrap_err().contains("no such user: nobody-here"));
        assert!(numbers(Some("web"), Some("no-group")).unwrap_err().contains("no such group: no-group"));
        assert!(numbers(Some("777"), None).unwrap_err().contains("name a group"));
    }
}
