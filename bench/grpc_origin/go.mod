module denim.dev/bench/grpc_origin

go 1.24
