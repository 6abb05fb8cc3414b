//! Every format of one result, as reviewed.
