module denim.dev/bench/handshake_client

go 1.24
