//! A network of nodes over real sockets with a real OpenID provider, honest users and attackers.

mod attackers;
mod claims;
mod forgeries;
mod http_form;
mod keys;
mod login;
mod secrets;
mod world;
