//! Descriptions of the relay that are read, written and refused.

use super::*;

#[test]
fn every_setting_is_read() {
    let spec: Spec =
        "ttft=lognormal:80ms:0.3,gap=exp:20ms,tokens=64,slots=3,seed=9,fault=429:0.01,fault=mock-cut:0.5"
            .parse()
            .unwrap();
    assert_eq!(spec.ttft, Distribution::LogNormal { median: Duration::from_millis(80), sigma: 0.3 });
    assert_eq!(spec.gap, Distribution::Exponential { mean: Duration::from_millis(20) });
    assert_eq!(spec.tokens, Distribution::Constant(64));
    assert_eq!((spec.slots, spec.seed), (Some(3), 9));
    let spec_with_limits: Spec = "burst=5,rate=60/m,duplicate-window=30s,chunk=64Ki".parse().unwrap();
    assert_eq!(spec_with_limits.rate.map(Rate::interval), Some(Duration::from_secs(1)));
    assert_eq!(spec_with_limits.duplicate_window, Some(Duration::from_secs(30)));
    assert_eq!((spec_with_limits.burst, spec_with_limits.chunk), (Some(5), Some(Size(65_536))));
    let names: Vec<_> = spec.faults.iter().map(|rate| (rate.fault.name, rate.probability)).collect();
    assert_eq!(names, [("mock-429", 0.01), ("mock-cut", 0.5)]);
}

#[test]
fn what_is_left_out_keeps_its_default() {
    assert_eq!("".parse(), Ok(Spec::default()));
    assert_eq!("slots=0".parse::<Spec>().unwrap().slots, None);
    assert_eq!("slots=inf".parse::<Spec>().unwrap().slots, None);
    assert_eq!(Spec::default().to_string(), "ttft=lognormal:80ms:0.3,gap=5ms,tokens=16,slots=64,seed=1");
}

#[test]
fn a_description_reads_back_as_itself() {
    for text in [
        "ttft=0,gap=1500us,tokens=lognormal:64:0.5,slots=inf,seed=18446744073709551615",
        "ttft=exp:1m30s,gap=0.123us,tokens=exp:3,fault=500-once:0.125,fault=silent:0.25",
        "chunk=64k,rate=90/m,burst=3,duplicate-window=1m30s",
        "token-life=2s,token-grace=0,token-fault=lost:3",
    ] {
        let spec: Spec = text.parse().unwrap();
        assert_eq!(spec.to_string().parse(), Ok(spec));
    }
}

#[test]
fn a_wrong_key_is_named_beside_the_right_ones() {
    let problem = "tokns=5".parse::<Spec>().unwrap_err();
    assert_eq!(problem, SpecError::UnknownKey { key: "tokns".into() });
    assert_eq!(
        problem.to_string(),
        "'tokns' is no setting of the relay: it has ttft, gap, tokens, chunk, slots, rate, burst, duplicate-window, \
         freeze, token-life, token-grace, token-delay, token-fault, seed, fault"
    );
    assert_eq!("gap".parse::<Spec>(), Err(SpecError::NoValue { item: "gap".into() }));
    let alone = SpecError::Alone { key: "burst", missing: "rate" };
    assert_eq!("burst=3".parse::<Spec>(), Err(alone));
    assert_eq!("seed=1,seed=2".parse::<Spec>(), Err(SpecError::Twice { key: "seed".into() }));
}

#[test]
fn a_wrong_value_says_what_would_have_been_accepted() {
    for bad in [
        "ttft=80",
        "ttft=",
        "ttft=normal:80ms:1",
        "ttft=lognormal:80ms",
        "ttft=lognormal:80ms:-1",
        "gap=2d",
        "tokens=0",
        "tokens=1.5",
        "tokens=80ms",
        "slots=-1",
        "chunk=15",
        "chunk=5Mi",
        "rate=60",
        "rate=0/s",
        "rate=60/m,burst=0",
        "duplicate-window=0",
        "duplicate-window=2d",
        "seed=x",
        "fault=429",
        "fault=nonsense:0.1",
        "fault=429:1.5",
        "fault=429:nan",
        "fault=429:0.6,fault=500:0.6",
    ] {
        let problem = bad.parse::<Spec>().unwrap_err();
        assert!(matches!(problem, SpecError::Value { .. }), "{bad}: {problem}");
    }
    let problem = "fault=nonsense:0.1".parse::<Spec>().unwrap_err().to_string();
    assert!(problem.contains("'nonsense' is no fault; there are 400, 401,"), "{problem}");
}
