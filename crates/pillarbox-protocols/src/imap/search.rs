//! SEARCH
use super::desk::Signed;
use super::out::Out;
use super::refuse::Refused;
use super::task::{Worked, success};
use super::view::View;
use pillarbox_store::mail::Millis;
use pillarbox_wire::imap::command;
pub struct Search {}
impl Search {
    pub async fn begin(
        _c: command::Search,
        _s: &mut Signed,
        _v: &mut View,
        _n: Millis,
        _o: &mut Out,
    ) -> Result<Worked, Refused> {
        success()
    }
    pub async fn step(
        self: Box<Self>,
        _s: &mut Signed,
        _v: &mut View,
        _n: Millis,
        _o: &mut Out,
    ) -> Result<Worked, Refused> {
        success()
    }
}
