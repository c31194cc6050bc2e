//! The lines above the table: where requests go, what the plan is, and what this machine brings to it.

use crate::cli::Talk;
use crate::cli::relay::Wired;
use crate::load::{Criterion, Extent, Plan, Scale, Search};
use crate::net::shown_url;
use crate::report::PlanInfo;
use crate::units::{Span, grouped};

/// The addresses that requests go to.
pub(super) fn addresses(wired: &Wired) -> Vec<String> {
    match wired.site.settings.stations.as_slice() {
        [_] => vec![shown_url(&wired.call.url)],
        _ => relays(wired),
    }
}

/// The base addresses of the relay.
fn relays(wired: &Wired) -> Vec<String> {
    wired.site.settings.stations.iter().map(|station| station.endpoint.name()).collect()
}

/// Says what is about to happen.
pub(super) fn announce(view: &PlanInfo, (wired, beside): (&Wired, Option<&Wired>), plan: &Plan, talk: Talk) {
    let shape = if view.stream { "streaming" } else { "whole answers" };
    let model = view.model.as_deref().map(|model| format!(" · {model}")).unwrap_or_default();
    let limit =
        view.max_tokens.map(|tokens| format!(" · at most {} tokens", grouped(tokens))).unwrap_or_default();
    let mock = wired.site.embedded.as_ref().map(|_| " (embedded)").unwrap_or_default();
    talk.notice(format_args!(
        "relay   {}{mock} · {}, {shape}{model}{limit}",
        relays(wired).join(", "),
        view.api
    ));
    if let Some(beside) = beside {
        let model =
            beside.site.settings.model.as_deref().map(|model| format!(" · {model}")).unwrap_or_default();
        let key = beside.site.settings.credential.as_ref().map_or("no key", |_| "its own key");
        talk.notice(format_args!(
            "direct  {}{model} · {key}; each request is made twice",
            shown_url(&beside.site.settings.base)
        ));
    }
    if let Some(prompts) = &view.prompts {
        talk.notice(format_args!("prompts {}", prompts.told()));
    }
    talk.notice(format_args!("plan    {}", course(view, plan)));
    if let Some(search) = &plan.search {
        let objectives: Vec<_> = search.objectives.iter().map(Criterion::text).collect();
        talk.notice(format_args!("slo     {}", objectives.join(" · ")));
    }
    let descriptors = rlimit::getrlimit(rlimit::Resource::NOFILE).map(|(soft, _)| soft).unwrap_or_default();
    let workers = plan.workers;
    let plural = if workers == 1 { "" } else { "s" };
    talk.notice(format_args!("client  {workers} worker{plural} · {} descriptors", grouped(descriptors)));
}

/// The levels, how long each lasts, and how requests follow one another.
fn course(view: &PlanInfo, plan: &Plan) -> String {
    let extent = match plan.extent {
        Extent::Window(window) => Span(window).to_string(),
        Extent::Requests(1) => "1 request".to_owned(),
        Extent::Requests(requests) => format!("{} requests", grouped(requests)),
    };
    let levels = match (&plan.search, view.levels.len()) {
        (Some(search), _) => searched(search),
        (None, 1) => "1 level".to_owned(),
        (None, levels) => format!("{levels} levels"),
    };
    let manner = match &view.arrivals {
        None => "closed loop".to_owned(),
        Some(info) => {
            let cap = view.levels.iter().max().copied().unwrap_or(0);
            format!("open loop, {}, at most {} in flight", info.spacing, grouped(cap.into()))
        }
    };
    format!("{levels} × ({} warm-up + {extent}) · {manner}", Span(plan.warmup))
}

/// Between which loads a search looks.
fn searched(search: &Search) -> String {
    let show = |load: f64| match search.scale {
        Scale::Users => format!("c={load}"),
        Scale::Rate { .. } => format!("{load}/s"),
    };
    format!("search from {}, up to {}", show(search.first), show(search.most))
}
