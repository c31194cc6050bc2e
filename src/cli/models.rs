//! `baton models`: what the relay offers.

use std::collections::HashSet;

use clap::{Arg, Args};
use serde_json::json;

use crate::client::{Call, Client, Failed, Policy, Timeouts};
use crate::config::{Environment, Settings};
use crate::net::{Pool, Url};
use crate::units::Span;
use crate::wire::{Dialect, Model};

use super::connection::{ConnectionOptions, Unasked, without_limit_of_requests};
use super::listing::{Format, in_columns, print};
use super::options::TargetOptions;
use super::relay::{authorise, only_one, settle};
use super::sign::SignOptions;
use super::{Talk, Usage};

/// The flags of `baton models`.
#[derive(Debug, Args)]
#[command(mut_args(without_limits_of_streams))]
#[command(after_help = "Examples:
  baton models -u https://relay.example
  baton models -a chat -u https://relay.example/v1 --format json | jq -r '.models[].id'")]
pub(super) struct ModelsOptions {
    #[command(flatten)]
    target: TargetOptions,
    /// Form of the list: a table, or one JSON object
    #[arg(long, value_name = "FORM", default_value = "table", help_heading = "Answer")]
    format: Format,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    sign: SignOptions,
}

/// A limit that no list can meet has no effect: it is refused, and not shown.
fn without_limits_of_streams(arg: Arg) -> Arg {
    if !matches!(arg.get_id().as_str(), "first_token_timeout" | "stall_timeout") {
        return without_limit_of_requests(arg);
    }
    arg.hide(true).value_parser(|_: &str| {
        Err::<Span, _>("a list of models is no stream, so that this limit has no effect".to_owned())
    })
}

/// Fetches the list, page by page, and prints it.
pub(super) fn run(options: &ModelsOptions, talk: Talk) -> anyhow::Result<()> {
    let (embedded, mut settings) = settle(&options.target, None, talk)?;
    only_one(&options.target, &settings, talk)?;
    let signer = options.sign.signer(&Environment::of_process(), &options.target, &mut settings)?;
    let connection = options.connection.connection(Unasked::Negotiated, &settings.policy)?;
    if settings.dialect == Dialect::Raw {
        let hint = "--api chooses the vendor whose form and key are used: messages or chat";
        return Err(Usage::new("with --api raw there is no list of models").hint(hint).into());
    }
    options.connection.fits(&connection, &settings.base)?;
    let pool = Pool::new(&connection, &settings.base).map_err(|error| options.connection.explain(error))?;
    authorise(&settings, &connection, talk)?;
    let given = options.connection.timeouts(&settings.policy);
    // A list need not be generated, so that its first byte comes as soon as that of a stream.
    let timeouts = Timeouts { first_byte_whole: given.first_byte_stream, ..given };
    let client =
        Client::new(pool, settings.credential.clone(), Policy::default(), timeouts).with_signer(signer);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (url, models) = runtime.block_on(list(&client, &settings, talk))?;
    drop(embedded);
    let text = match options.format {
        Format::Table => as_table(&models),
        Format::Json => as_json(&url, &models),
    };
    if models.is_empty() {
        talk.notice("note: the relay's list is empty");
    }
    print(&text)
}

/// All pages of the list, and the address of the first.
async fn list(client: &Client<Pool>, settings: &Settings, talk: Talk) -> anyhow::Result<(Url, Vec<Model>)> {
    let call = |after: Option<&str>| {
        Call::models(settings.dialect, &settings.base, after).with_headers(&settings.headers)
    };
    let first = call(None);
    let url = Url::clone(&first.url);
    let (mut next, mut models, mut seen) = (Some(first), Vec::new(), HashSet::new());
    while let Some(page) = next {
        let page = client
            .models(&page)
            .await
            .map_err(|exchange| Failed { exchange, credential: settings.credential_story.clone() })?;
        models.extend(page.models);
        next = page
            .next
            .as_deref()
            .filter(|after| {
                // A relay that passes by `after_id` gives the first page for ever.
                let is_new = seen.insert((*after).to_owned());
                if !is_new {
                    talk.notice("note: the relay speaks of another page and repeats the one before");
                }
                is_new
            })
            .map(|after| call(Some(after)));
    }
    Ok((url, models))
}

/// A line for each model, its id first; columns that no model fills are left out.
fn as_table(models: &[Model]) -> String {
    let date = |model: &Model| model.created.map(|time| time.strftime("%Y-%m-%d").to_string());
    let column = |cell: &dyn Fn(&Model) -> Option<String>| -> Vec<String> {
        models.iter().map(|model| cell(model).as_deref().map(printable).unwrap_or_default()).collect()
    };
    let mut columns = vec![
        ("Model", column(&|model| Some(model.id.clone()))),
        ("Name", column(&|model| model.display_name.clone())),
        ("Owner", column(&|model| model.owned_by.clone())),
        ("Created", column(&date)),
    ];
    columns.retain(|(heading, cells)| *heading == "Model" || cells.iter().any(|cell| !cell.is_empty()));
    let headings: Vec<_> = columns.iter().map(|(heading, _)| *heading).collect();
    let row = |row: usize| columns.iter().map(|(_, cells)| cells[row].clone()).collect();
    in_columns(&headings, (0..models.len()).map(row))
}

/// A relay's text without what could move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The list as one JSON object, the same for both vendors' forms.
fn as_json(url: &Url, models: &[Model]) -> String {
    let model = |model: &Model| {
        json!({
            "id": model.id,
            "display_name": model.display_name,
            "owned_by": model.owned_by,
            "created_at": model.created.map(|time| time.to_string()),
        })
    };
    let models: Vec<_> = models.iter().map(model).collect();
    format!("{:#}\n", json!({ "endpoint": url.as_str(), "models": models }))
}
