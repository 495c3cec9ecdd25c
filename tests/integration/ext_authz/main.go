// An external authorizer by the published protobufs of Envoy: what it decides hangs on the x-user header.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	kind "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpc "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

type authorizer struct{}

func option(key, value string) *core.HeaderValueOption {
	return &core.HeaderValueOption{Header: &core.HeaderValue{Key: key, Value: value}}
}

func (authorizer) Check(ctx context.Context, request *auth.CheckRequest) (*auth.CheckResponse, error) {
	http := request.GetAttributes().GetRequest().GetHttp()
	switch http.GetHeaders()["x-user"] {
	case "alice":
		told, err := protojson.Marshal(request)
		if err != nil {
			return nil, err
		}
		var value any
		_ = json.Unmarshal(told, &value)
		compact, _ := json.Marshal(value)
		appended := option("x-tags", "two")
		appended.Append = wrapperspb.Bool(true)
		return &auth.CheckResponse{
			Status: &rpc.Status{Code: int32(codes.OK)},
			HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
				Headers: []*core.HeaderValueOption{
					option("x-auth-user", "alice"),
					option("x-seen", string(compact)),
					option("x-denim-peer", "spiffe://somebody/else"),
					option("content-length", "1"),
					appended,
				},
				HeadersToRemove:      []string{"x-secret", "host"},
				ResponseHeadersToAdd: []*core.HeaderValueOption{option("x-checked", "yes")},
			}},
		}, nil
	case "slow":
		select {
		case <-ctx.Done():
		case <-time.After(30 * time.Second):
		}
		return nil, ctx.Err()
	case "broken":
		return nil, status.Error(codes.Internal, "no idea")
	case "bare":
		return &auth.CheckResponse{Status: &rpc.Status{Code: int32(codes.PermissionDenied)}}, nil
	case "smuggler":
		return &auth.CheckResponse{
			Status: &rpc.Status{Code: int32(codes.OK)},
			HttpResponse: &auth.CheckResponse_OkResponse{OkResponse: &auth.OkHttpResponse{
				Headers: []*core.HeaderValueOption{option("x-a", "1\r\nx-b: 2")},
			}},
		}, nil
	}
	return &auth.CheckResponse{
		Status: &rpc.Status{Code: int32(codes.Unauthenticated)},
		HttpResponse: &auth.CheckResponse_DeniedResponse{DeniedResponse: &auth.DeniedHttpResponse{
			Status:  &kind.HttpStatus{Code: kind.StatusCode_Unauthorized},
			Headers: []*core.HeaderValueOption{option("www-authenticate", "Basic realm=\"shop\"")},
			Body:    "who are you?",
		}},
	}, nil
}

func main() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(listener.Addr())
	server := grpc.NewServer()
	auth.RegisterAuthorizationServer(server, authorizer{})
	if err := server.Serve(listener); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
