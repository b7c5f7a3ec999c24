//! Trace contexts: reading the current one, and continuing the trace of another process. Without an
//! exporter these functions do nothing.

use balance_batch::trace::TraceParent;
use opentelemetry::{
    Context,
    trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState},
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Returns the trace context of the current span, or `None` outside of a trace.
#[must_use]
pub fn current() -> Option<TraceParent> {
    let context = Span::current().context();
    let span = context.span();
    let span_context = span.span_context();
    if !span_context.is_valid() {
        return None;
    }
    let (trace, span) = (span_context.trace_id(), span_context.span_id());
    let flags = span_context.trace_flags();
    TraceParent::parse(&format!("00-{trace}-{span}-{flags:02x}"))
}

/// Makes a span the child of a span in another process. Must be called before the span is entered
/// or used otherwise.
pub fn set_parent(span: &Span, parent: &TraceParent) {
    let (trace, parent_span, flags) = parent.parts();
    let (Ok(trace), Ok(parent_span), Ok(flags)) = (
        TraceId::from_hex(trace),
        SpanId::from_hex(parent_span),
        u8::from_str_radix(flags, 16),
    ) else {
        return;
    };
    let span_context = SpanContext::new(
        trace,
        parent_span,
        TraceFlags::new(flags),
        true,
        TraceState::default(),
    );
    // The call fails only if no exporter is set up.
    let _ = span.set_parent(Context::new().with_remote_span_context(span_context));
}
