//! What the floors below say by `tracing` goes into the same log as everything else. Other people's libraries are not
//! heard: what they think worth a warning, a handshake that failed say, is a stranger's doing and no trouble of ours.

use crate::journal::{Journal, Level};
use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// From now on, for the whole process; a second call changes nothing.
pub fn into(journal: Journal) {
    let ours = |metadata: &Metadata<'_>| {
        metadata.is_event()
            && metadata.target().starts_with("pillarbox")
            && *metadata.level() <= tracing::Level::INFO
    };
    let layer = Lines(journal).with_filter(filter_fn(ours));
    // Fails only if it was done before.
    let _ = tracing_subscriber::registry().with(layer).try_init();
}

struct Lines(Journal);

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            _ => Level::Info,
        };
        let mut text = Text::default();
        event.record(&mut text);
        let floor = event
            .metadata()
            .target()
            .split("::")
            .next()
            .unwrap_or_default();
        let about = floor.trim_start_matches("pillarbox_");
        self.0
            .note(level, about, &format!("{}{}", text.message, text.fields));
    }
}

#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.fields, ", {} {value:?}", field.name())
        };
    }
}
