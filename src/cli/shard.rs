//! `--shard`: which part of the work a process carries, given outright or by whatever launched it.

use std::env;

use crate::units::Shard;

/// Variables in which launchers number their workers from 0, each with the one that says how many there are.
const LAUNCHERS: [(&str, &str); 4] = [
    // An indexed Job of Kubernetes numbers its pods; how many there are, its manifest has to pass on.
    ("JOB_COMPLETION_INDEX", "JOB_COMPLETIONS"),
    ("SLURM_PROCID", "SLURM_NTASKS"),
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),
    ("PMI_RANK", "PMI_SIZE"),
];

/// Reads a shard: `2/4`, or `auto` for what the launcher's variables say.
pub(super) fn shard(text: &str) -> Result<Shard, String> {
    match text {
        "auto" => numbered(|name| env::var(name).ok()),
        text => text.parse::<Shard>().map_err(|error| format!("{error}, or auto")),
    }
}

/// The shard that a launcher's variables name; the first launcher that numbered this process decides.
fn numbered(variable: impl Fn(&str) -> Option<String>) -> Result<Shard, String> {
    for (place, of) in LAUNCHERS {
        let Some(index) = variable(place) else { continue };
        let Some(count) = variable(of) else {
            return Err(format!("{place} is {index}, and {of}, which says of how many, is not set"));
        };
        let shard =
            index.parse().ok().zip(count.parse().ok()).and_then(|(index, count)| Shard::at(index, count));
        return shard
            .ok_or_else(|| format!("{place}={index} and {of}={count} make no part: from 0, below {of}"));
    }
    let names = LAUNCHERS.map(|(place, of)| format!("{place} with {of}")).join(", ");
    Err(format!("auto finds none of {names}: write the part, as in 2/4"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(set: &[(&str, &str)]) -> Result<String, String> {
        let find =
            |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        numbered(find).map(|shard| shard.to_string())
    }

    #[test]
    fn launchers_count_from_nothing_and_shards_from_one() {
        assert_eq!(with(&[("JOB_COMPLETION_INDEX", "0"), ("JOB_COMPLETIONS", "3")]).unwrap(), "1/3");
        assert_eq!(with(&[("SLURM_PROCID", "7"), ("SLURM_NTASKS", "8")]).unwrap(), "8/8");
        assert_eq!(with(&[("OMPI_COMM_WORLD_RANK", "1"), ("OMPI_COMM_WORLD_SIZE", "2")]).unwrap(), "2/2");
    }

    #[test]
    fn half_of_a_numbering_is_refused_with_what_is_missing() {
        assert!(with(&[("JOB_COMPLETION_INDEX", "0")]).unwrap_err().contains("JOB_COMPLETIONS"));
        assert!(with(&[("SLURM_PROCID", "8"), ("SLURM_NTASKS", "8")]).unwrap_err().contains("no part"));
        assert!(
            with(&[("SLURM_PROCID", "x"), ("SLURM_NTASKS", "8")]).unwrap_err().contains("SLURM_PROCID=x")
        );
        assert!(with(&[]).unwrap_err().contains("SLURM_NTASKS"));
    }
}
