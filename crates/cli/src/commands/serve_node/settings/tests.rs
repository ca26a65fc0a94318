use std::path::Path;

use super::*;
use crate::failure::Exit;

fn arguments() -> ServeNode {
    ServeNode {
        config: None,
        check_config: false,
        listen: None,
        metrics: None,
        public_url: None,
        manifest: None,
        secrets: None,
        verifiers: None,
        data: None,
        key_file: None,
        tls_certificate: None,
        tls_key: None,
        until_stdin_closes: false,
    }
}

const DEALT: &str = "manifest = \"m\"\nsecrets = \"s\"\nverifiers = \"v\"\n";

fn read(text: &str) -> Result<Settings, (Vec<String>, Failure)> {
    let file: File = toml::from_str(text).unwrap();
    let mut problems = Problems::default();
    let settings = merge(arguments(), file, &mut problems);
    if problems.is_empty() {
        return Ok(settings.unwrap());
    }
    let fields = problems.fields().into_iter().map(str::to_owned).collect();
    Err((fields, problems.into_failure(Some(Path::new("node.toml")))))
}

#[test]
fn what_is_not_said_has_safe_defaults() {
    let settings = read(DEALT).unwrap();
    assert_eq!(settings.listen, "127.0.0.1:7879".parse().unwrap());
    assert_eq!(
        (
            settings.metrics,
            settings.tls,
            settings.data,
            settings.ceremony
        ),
        (None, None, None, None)
    );
    assert_eq!(settings.overlap, Duration::from_secs(3600));
    assert_eq!(settings.limits, LimitsConfig::default());
    assert_eq!(settings.max_connections, 512);
}

#[test]
fn everything_that_can_be_said() {
    let key = AuthKey::from_bytes([7; 32]);
    let settings = read(&format!(
        "listen = \"0.0.0.0:443\"\nmetrics = \"127.0.0.1:9464\"\npublic_url = \"https://node-1.example\"\n\
         verifiers = \"v\"\ndata = \"d\"\nkey_file = \"k\"\noverlap = 2592000\nbehind_proxy = true\n\
         trusted_proxies = [\"10.0.0.0/8\", \"::1\"]\nmax_connections = 64\n[tls]\ncertificate = \"c\"\nkey = \"p\"\n\
         [limits]\naddress_per_minute = 0\nuser_burst = 3\n[ceremony]\ncoordinator = \"{key}\"\n"
    ))
    .unwrap();
    assert_eq!(settings.metrics, Some("127.0.0.1:9464".parse().unwrap()));
    assert_eq!(settings.public_url.unwrap(), "https://node-1.example");
    assert_eq!(settings.data.unwrap().key_file, Path::new("k"));
    assert_eq!(settings.overlap, Duration::from_secs(30 * 24 * 3600));
    assert_eq!(settings.tls.unwrap().key, Path::new("p"));
    assert_eq!(settings.trusted_proxies.len(), 2);
    assert_eq!(
        (
            settings.limits.address_per_minute,
            settings.limits.user_burst
        ),
        (0, 3)
    );
    assert_eq!(settings.limits.user_per_minute, 20);
    let ceremony = settings.ceremony.unwrap();
    assert_eq!(
        (ceremony.coordinator, ceremony.trust),
        (key, Trust::Refresh)
    );
}

#[test]
fn each_misfit_is_told_with_its_field() {
    let key = AuthKey::from_bytes([7; 32]);
    #[rustfmt::skip]
    let cases = [
        ("", vec!["verifiers"]),
        ("verifiers = \"v\"", vec!["manifest"]),
        ("verifiers = \"v\"\nmanifest = \"m\"", vec!["secrets"]),
        ("verifiers = \"v\"\nsecrets = \"s\"", vec!["manifest"]),
        ("verifiers = \"v\"\ndata = \"d\"", vec!["key_file"]),
        ("verifiers = \"v\"\nkey_file = \"k\"", vec!["data"]),
        (&format!("{DEALT}listen = \"0.0.0.0:1\""), vec!["listen"]),
        (&format!("{DEALT}listen = \"[::]:1\""), vec!["listen"]),
        (&format!("{DEALT}listen = \"0.0.0.0:1\"\nbehind_proxy = true"), vec!["trusted_proxies"]),
        (&format!("{DEALT}listen = \"127.0.0.1:1\"\nmetrics = \"127.0.0.1:1\""), vec!["metrics"]),
        (&format!("{DEALT}public_url = \"http://node.example\""), vec!["public_url"]),
        (&format!("{DEALT}public_url = \"https://node.example/\""), vec!["public_url"]),
        (&format!("{DEALT}public_url = \"node.example\""), vec!["public_url"]),
        (&format!("{DEALT}overlap = 2592001"), vec!["overlap"]),
        (&format!("{DEALT}max_connections = 0"), vec!["max_connections"]),
        (&format!("{DEALT}[limits]\naddress_burst = 0"), vec!["limits.address_burst"]),
        (&format!("{DEALT}[limits]\nuser_burst = 0"), vec!["limits.user_burst"]),
        (&format!("{DEALT}[tls]\nkey = \"k\""), vec!["tls.certificate"]),
        (&format!("{DEALT}[tls]\ncertificate = \"c\""), vec!["tls.key"]),
        (&format!("{DEALT}[ceremony]\ncoordinator = \"{key}\""), vec!["ceremony", "ceremony"]),
        ("overlap = 9999999\nmax_connections = 0", vec!["verifiers", "overlap", "max_connections"]),
    ];
    for (text, expected) in cases {
        let (fields, failure) = read(text).expect_err(text);
        assert_eq!(fields, expected, "{text}");
        assert_eq!(
            (failure.exit(), failure.code()),
            (Exit::Usage, "bad_settings")
        );
        let lines: Vec<&str> = failure.message().lines().collect();
        assert_eq!(lines.len(), fields.len());
        for (line, field) in lines.iter().zip(fields) {
            assert!(line.starts_with(&format!("node.toml: {field}: ")), "{line}");
        }
    }
    // What a proxy does not hide needs no trust, and TLS of its own no proxy.
    read(&format!(
        "{DEALT}listen = \"0.0.0.0:1\"\nbehind_proxy = true\n[limits]\naddress_per_minute = 0"
    ))
    .unwrap();
    read(&format!(
        "{DEALT}listen = \"0.0.0.0:1\"\n[tls]\ncertificate = \"c\"\nkey = \"k\""
    ))
    .unwrap();
}

#[test]
fn arguments_go_before_the_file() {
    let file: File = toml::from_str(&format!("{DEALT}listen = \"127.0.0.1:1\"")).unwrap();
    let arguments = ServeNode {
        listen: Some("127.0.0.1:2".parse().unwrap()),
        manifest: Some("other".into()),
        ..arguments()
    };
    let settings = merge(arguments, file, &mut Problems::default()).unwrap();
    assert_eq!(settings.listen.port(), 2);
    let dealt = settings.dealt.unwrap();
    assert_eq!(
        (dealt.manifest, dealt.secrets),
        ("other".into(), "s".into())
    );
}
