//! Traces: where the work at hand stands in one, and how work goes on in one that another process
//! began. Without an exporter there are none, and all of this does nothing.

use balance_batch::trace::TraceParent;
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The place of the span that is at work now, if it is in a trace.
#[must_use]
pub fn current() -> Option<TraceParent> {
    let context = Span::current().context();
    let span = context.span();
    let place = span.span_context();
    if !place.is_valid() {
        return None;
    }
    let (trace, span) = (place.trace_id(), place.span_id());
    TraceParent::parse(&format!("00-{trace}-{span}-{:02x}", place.trace_flags()))
}

/// Lets a span that has not been entered yet go on from a place in another process. It must be
/// called before anything else is done with the span.
pub fn follow(span: &Span, parent: &TraceParent) {
    let (trace, from, flags) = parent.parts();
    let (Ok(trace), Ok(from), Ok(flags)) = (
        TraceId::from_hex(trace),
        SpanId::from_hex(from),
        u8::from_str_radix(flags, 16),
    ) else {
        return;
    };
    let place = SpanContext::new(
        trace,
        from,
        TraceFlags::new(flags),
        true,
        TraceState::default(),
    );
    // Without an exporter there is nothing to set.
    let _ = span.set_parent(Context::new().with_remote_span_context(place));
}
