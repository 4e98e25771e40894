//! A browser for tests of pages: keeps its cookies, follows nothing, asks the real router without a socket.
