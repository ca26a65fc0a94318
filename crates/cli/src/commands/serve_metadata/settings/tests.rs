use std::path::Path;

use super::*;

fn arguments() -> ServeMetadata {
    ServeMetadata {
        config: None,
        check_config: false,
        openapi: false,
        new_permit_key: None,
        listen: None,
        metrics: None,
        public_url: None,
        data: None,
        permit_key_file: None,
        tenants: Vec::new(),
        any_tenant: false,
        tls_certificate: None,
        tls_key: None,
        until_stdin_closes: false,
    }
}

const LEAST: &str = "data = \"d\"\ntenants = [\"acme\"]\n";

fn read_with(arguments: ServeMetadata, text: &str) -> Result<Settings, (Vec<String>, Failure)> {
    let file: File = toml::from_str(text).unwrap();
    let mut problems = Problems::default();
    let settings = merge(arguments, file, &mut problems);
    if problems.is_empty() {
        return Ok(settings.unwrap());
    }
    let fields = problems.fields().into_iter().map(str::to_owned).collect();
    Err((fields, problems.into_failure(Some(Path::new("m.toml")))))
}

fn read(text: &str) -> Result<Settings, (Vec<String>, Failure)> {
    read_with(arguments(), text)
}

fn tenant(name: &str) -> Tenant {
    Tenant::new(name).unwrap()
}

#[test]
fn what_is_not_said_has_safe_defaults() {
    let settings = read(LEAST).unwrap();
    assert_eq!(settings.listen, "127.0.0.1:7878".parse().unwrap());
    assert_eq!((settings.metrics, settings.tls), (None, None));
    assert_eq!(settings.place, Place::Directory("d".into()));
    assert_eq!(settings.permit_key_file, Path::new("d/permit.key"));
    assert_eq!(settings.limits, LimitsConfig::default());
    assert_eq!(settings.max_connections, 10_000);
    let expected = [(tenant("acme"), TenantConfig::default())];
    assert_eq!(settings.tenants, Tenants::Configured(expected.into()));
}

#[test]
fn everything_that_can_be_said() {
    let settings = read(
        "listen = \"0.0.0.0:443\"\nmetrics = \"127.0.0.1:9465\"\npublic_url = \"https://meta.example\"\n\
         permit_key_file = \"p\"\nbehind_proxy = true\ntrusted_proxies = [\"10.0.0.0/8\"]\nmax_connections = 64\n\
         tenants = [\"beta\"]\n\
         [database]\nrecords = \"postgres://t@db/records\"\nnonces = \"postgresql://t@other/nonces\"\nconnections = 4\n\
         [tls]\ncertificate = \"c\"\nkey = \"k\"\n\
         [limits]\naddress_per_minute = 5\nslot_burst = 3\n\
         [[tenant]]\nname = \"acme\"\norigins = [\"https://wallet.example\"]\n\
         [tenant.policy]\ncreate = false\nslots = false\nmailboxes = false\nsession_seconds = 60\n\
         [tenant.limits]\nlocator_per_minute = 7\n",
    )
    .unwrap();
    assert_eq!(settings.metrics, Some("127.0.0.1:9465".parse().unwrap()));
    let Place::Database(database) = settings.place else {
        panic!("a database was named");
    };
    assert_eq!(database.connections.get(), 4);
    assert_eq!(settings.tls.unwrap().key, Path::new("k"));
    assert_eq!(
        (
            settings.limits.address_per_minute,
            settings.limits.slot_burst
        ),
        (5, 3)
    );
    let Tenants::Configured(tenants) = settings.tenants else {
        panic!("tenants were named");
    };
    assert_eq!(tenants[&tenant("beta")], TenantConfig::default());
    let acme = &tenants[&tenant("acme")];
    assert_eq!(acme.origins[0].as_str(), "https://wallet.example");
    assert_eq!(acme.limits.locator_per_minute, Some(7));
    let TenantPolicy {
        create,
        slots,
        mailboxes,
        session_seconds,
    } = acme.policy;
    assert_eq!(
        (create, slots, mailboxes, session_seconds),
        (false, false, false, 60)
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let (fields, failure) = read(
        "listen = \"0.0.0.0:1\"\nmetrics = \"0.0.0.0:1\"\nmax_connections = 0\n\
         [database]\nrecords = \"mysql://t:hunter2@db/records\"\nnonces = \"mysql://t:hunter2@db/records\"\n\
         [tls]\nkey = \"k\"\n\
         [limits]\naddress_burst = 0\nslot_per_minute = 60001\n\
         [[tenant]]\nname = \"acme\"\n[tenant.policy]\nsession_seconds = 901\n\
         [[tenant]]\nname = \"acme\"\n[tenant.limits]\ncreations_burst = 0\n",
    )
    .unwrap_err();
    let expected = [
        "database.records",
        "database.nonces",
        "database.nonces",
        "permit_key_file",
        "tls.certificate",
        "listen",
        "public_url",
        "metrics",
        "max_connections",
        "limits.address_burst",
        "limits.slot_per_minute",
        "tenant.acme.policy.session_seconds",
        "tenant.acme",
        "tenant.acme.limits.creations_burst",
    ];
    assert_eq!(fields, expected);
    assert_eq!(failure.message().lines().count(), expected.len());
    assert!(
        failure
            .message()
            .lines()
            .all(|line| line.starts_with("m.toml: "))
    );
    assert!(!failure.message().contains("hunter2"));
}

#[test]
fn one_place_for_accounts() {
    let url = "records = \"postgres://t@db/r\"\n";
    for (text, field) in [
        ("tenants = [\"a\"]\n", "data"),
        (
            "tenants = [\"a\"]\ndata = \"d\"\n[database]\nrecords = \"postgres://t@db/r\"\n",
            "data",
        ),
        (
            "tenants = [\"a\"]\ndata = \"d\"\n[database]\nconnections = 3\n",
            "database.connections",
        ),
        (
            &format!("tenants = [\"a\"]\n[database]\n{url}"),
            "database.nonces",
        ),
        (
            &format!(
                "tenants = [\"a\"]\npermit_key_file = \"p\"\n[database]\n{url}nonces = \"postgres://t@db/\"\n"
            ),
            "database.nonces",
        ),
    ] {
        let (fields, _) = read(text).unwrap_err();
        assert_eq!(fields, [field], "{text}");
    }
}

#[test]
fn behind_a_proxy_addresses_need_its_word() {
    let proxy = format!("{LEAST}behind_proxy = true\n");
    assert_eq!(read(&proxy).unwrap_err().0, ["trusted_proxies"]);
    let unlimited = "[limits]\naddress_per_minute = 0\ncreations_per_minute = 0\n";
    read(&format!("{proxy}{unlimited}")).unwrap();
    let of_tenant = "[[tenant]]\nname = \"b\"\n[tenant.limits]\ncreations_per_minute = 1\n";
    let (fields, _) = read(&format!("{proxy}{unlimited}{of_tenant}")).unwrap_err();
    assert_eq!(fields, ["trusted_proxies"]);
    read(&format!("{proxy}trusted_proxies = [\"10.0.0.1\"]\n")).unwrap();
}

#[test]
fn arguments_name_the_tenants_to_serve() {
    let table = "[[tenant]]\nname = \"acme\"\n[tenant.policy]\ncreate = false\n";
    let named = |arguments| match read_with(arguments, &format!("data = \"d\"\n{table}")) {
        Ok(settings) => settings.tenants,
        Err((_, failure)) => panic!("{}", failure.message()),
    };
    let mut some = arguments();
    some.tenants = vec![tenant("beta")];
    let beta = (tenant("beta"), TenantConfig::default());
    assert_eq!(named(some), Tenants::Configured([beta].into()));
    let mut some = arguments();
    some.tenants = vec![tenant("acme")];
    let Tenants::Configured(tenants) = named(some) else {
        panic!("a tenant was named");
    };
    assert!(!tenants[&tenant("acme")].policy.create);
    let mut any = arguments();
    any.any_tenant = true;
    assert_eq!(named(any), Tenants::Any);
    assert_eq!(read("data = \"d\"\n").unwrap_err().0, ["tenants"]);
}

#[test]
fn what_is_no_setting_is_refused() {
    for text in [
        "unknown = 1\n",
        "[limits]\nuser_per_minute = 1\n",
        "[[tenant]]\norigins = []\n",
        "[[tenant]]\nname = \"ACME\"\n",
        "[[tenant]]\nname = \"acme\"\norigins = [\"*\"]\n",
        "[[tenant]]\nname = \"acme\"\n[tenant.limits]\naddress_per_minute = 1\n",
        "[[tenant]]\nname = \"acme\"\n[tenant.policy]\nlogin = true\n",
        "[database]\nconnections = 0\n",
    ] {
        assert!(toml::from_str::<File>(text).is_err(), "{text}");
    }
    let url = "[database]\nrecords = \"postgres://t:hunter2@db/r\"\n";
    let file: File = toml::from_str(url).unwrap();
    assert!(!format!("{file:?}").contains("hunter2"));
}
