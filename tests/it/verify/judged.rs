//! The pure judgement, a case a line.
