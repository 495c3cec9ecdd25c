/** The X.509 library, loaded the one way it works: it looks for this polyfill the moment it is imported. */
import "reflect-metadata";

export * from "@peculiar/x509";
