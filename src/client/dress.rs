//! What is put on a request before it leaves: its credential, then its compression, then its signature.

use tokio::time::Instant;

use crate::net::{Coding, HeaderName, HeaderValue, Request, SignedBy, Transport};
use crate::outcome::BodySize;

use super::call::Usage;
use super::ids::Ids;
use super::repair::Repairs;
use super::route::Aim;
use super::{Call, Client};

/// What distinguishes the form of one attempt's request from another's.
#[derive(Debug, Clone, Copy)]
pub(super) struct Form {
    pub(super) usage: Usage,
    /// What the body is compressed by, if it is.
    pub(super) coding: Option<Coding>,
}

/// A request as it leaves.
pub(super) struct Dressed {
    pub(super) request: Request,
    /// What its body weighs.
    pub(super) size: BodySize,
    /// The key that has signed it, where one has.
    pub(super) signed: Option<SignedBy>,
}

impl<T: Transport> Client<T> {
    /// The request as its first attempt would leave, and what its body weighs. Nothing is sent for it.
    pub fn preview(&self, call: &Call, ids: &Ids) -> (Request, BodySize) {
        let mut repairs = Repairs::new(Instant::now());
        let aim = self.straight(call);
        let form = self.form((call, aim.url), &mut repairs);
        let Dressed { request, size, .. } = self.request(call, ids, (form, aim));
        (request, size)
    }

    /// The request of one attempt, dressed in the order that [`Client::run`] states.
    pub(super) fn request(&self, call: &Call, ids: &Ids, (form, aim): (Form, Aim<'_>)) -> Dressed {
        let mut request = call.request_to(ids, aim);
        let payload = call.payload(form.usage);
        request.body = payload.plain().clone();
        if let (Some(coding), Some(compressor)) = (form.coding, &self.compressor)
            && let Some(packed) = payload.packed(compressor)
        {
            request.body = packed.clone();
            let name = HeaderName::from_static("content-encoding");
            request.headers.insert(name, HeaderValue::from_static(coding.name()));
        }
        let signed = aim.signer.map(|signer| signer.sign(&mut request));
        let size = BodySize { plain: payload.plain().len() as u64, sent: request.body.len() as u64 };
        Dressed { request, size, signed }
    }
}
