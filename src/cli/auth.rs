//! `baton auth`: whether a profile's login holds, logging in, renewing its token, and forgetting it.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use crate::config;
use crate::config::Environment;
use crate::net::{Connection, Invitation, Keeper, Standing, log_in};
use crate::units::{Secret, Span};

use super::listing::{Format, print};
use super::options::ProfileOptions;
use super::{Talk, Usage, say};

/// The subcommands of `baton auth`.
#[derive(Debug, Args)]
pub(super) struct AuthCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Print whether the profile's token holds, and for how long; exit with code 3 if a login is required
    Status(StatusOptions),
    /// Log in: by a code that is typed in a browser, by a refresh token, or by the client's own secret, as the profile says
    Login(LoginOptions),
    /// Renew the token now
    Refresh(ProfileOptions),
    /// Forget the token; the server is not told
    Logout(ProfileOptions),
}

#[derive(Debug, Args)]
struct StatusOptions {
    /// Form of what is printed
    #[arg(long, value_name = "FORM", default_value = "table")]
    format: Format,
    #[command(flatten)]
    profile: ProfileOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  baton auth login --profile work
  baton auth login --profile work --refresh-token-file token.txt")]
struct LoginOptions {
    /// Begin with the refresh token in this file, which only you can read, instead
    #[arg(long, value_name = "PATH")]
    refresh_token_file: Option<PathBuf>,
    #[command(flatten)]
    profile: ProfileOptions,
}

/// Does what was asked for.
pub(super) fn run(command: &AuthCommand, talk: Talk) -> anyhow::Result<()> {
    let keeper = |profile: &ProfileOptions| config::keeper(&profile.given(), &Environment::of_process());
    match &command.what {
        What::Status(options) => status(&keeper(&options.profile)?, options.format),
        What::Login(options) => login(&keeper(&options.profile)?, options, talk),
        What::Refresh(profile) => {
            let keeper = keeper(profile)?;
            keeper.refresh()?;
            announce(&keeper, "renewed", talk)
        }
        What::Logout(profile) => {
            let keeper = keeper(profile)?;
            let path = keeper.store().path().display();
            if keeper.forget()? {
                talk.notice(format_args!("note: logged out, {path} is removed"));
            } else {
                talk.notice(format_args!("note: there was no token at {path}"));
            }
            Ok(())
        }
    }
}

fn status(keeper: &Keeper, format: Format) -> anyhow::Result<()> {
    let standing = keeper.standing()?;
    let text = match format {
        Format::Table => as_table(keeper, standing.as_ref()),
        Format::Json => as_json(keeper, standing.as_ref()),
    };
    print(&text)?;
    match missing(standing.as_ref()) {
        None => Ok(()),
        Some(why) => Err(keeper.authority().login_required(why).into()),
    }
}

/// Why a login is required, if one is.
fn missing(standing: Option<&Standing>) -> Option<String> {
    let Some(standing) = standing else { return Some("nobody has logged in yet".to_owned()) };
    standing.login_required.clone().or_else(|| {
        let is_over = standing.left.is_zero() && !standing.is_renewable;
        is_over.then(|| "the token has ended, and there is no refresh token".to_owned())
    })
}

fn as_table(keeper: &Keeper, standing: Option<&Standing>) -> String {
    let (authority, path) = (keeper.authority(), keeper.store().path().display());
    let head = format!("profile    {}\ngrant      {}\n", authority.profile, authority.grant.name());
    let token = match standing {
        None => "token      –\n".to_owned(),
        Some(Standing { left, lifetime, scope, is_renewable, .. }) => format!(
            "token      {}\nscope      {}\nrefresh    {}\n",
            if left.is_zero() {
                format!("ended (it was good for {})", Span(*lifetime))
            } else {
                format!("good for {} of {}", Span(*left), Span(*lifetime))
            },
            if scope.is_empty() { "–".to_owned() } else { scope.join(" ") },
            if *is_renewable { "by a refresh token" } else { "–" },
        ),
    };
    format!("{head}{token}file       {path}\n")
}

fn as_json(keeper: &Keeper, standing: Option<&Standing>) -> String {
    let authority = keeper.authority();
    let object = json!({
        "profile": authority.profile,
        "grant": authority.grant.name(),
        "file": keeper.store().path().to_string_lossy(),
        "expires_in_s": standing.map(|standing| standing.left.as_secs()),
        "lifetime_s": standing.map(|standing| standing.lifetime.as_secs()),
        "scope": standing.map(|standing| &standing.scope),
        "renewable": standing.map(|standing| standing.is_renewable),
        "login_required": missing(standing),
    });
    format!("{object:#}\n")
}

fn login(keeper: &Keeper, options: &LoginOptions, talk: Talk) -> anyhow::Result<()> {
    let given = options.refresh_token_file.as_deref().map(read_token).transpose()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let connection = Connection::default();
    let login = log_in((keeper.authority(), keeper.store()), &connection, given, invite);
    runtime.block_on(login)?;
    announce(keeper, "logged in", talk)
}

/// Tells a person where to allow the login; silenced by nothing, since without it there is none.
fn invite(invitation: &Invitation) {
    let Invitation { page, whole, code, holds } = invitation;
    say(format_args!("open {page} and enter the code {code} within {}", Span(*holds)));
    if let Some(whole) = whole {
        say(format_args!("or open {whole}"));
    }
}

fn announce(keeper: &Keeper, what: &str, talk: Talk) -> anyhow::Result<()> {
    if let Some(standing) = keeper.standing()? {
        let (left, path) = (Span(standing.left), keeper.store().path().display());
        talk.notice(format_args!("note: {what}; the token is good for {left}, and kept in {path}"));
    }
    Ok(())
}

/// The refresh token in a file that nobody else can read, alone on its line.
fn read_token(path: &Path) -> anyhow::Result<Secret> {
    let source = format!("--refresh-token-file {}", path.display());
    let token = config::read_private(path, &source)?;
    if token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(token);
    }
    Err(Usage::new(format!("{source}: it holds white space or characters that no token has"))
        .hint("it must hold the refresh token and nothing else")
        .into())
}
