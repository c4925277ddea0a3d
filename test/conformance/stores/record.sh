#!/bin/sh
# Makes the keystores and truststores in engine/clientconfig/testdata with Java's
# keytool: the key of a server (and client) named localhost, 127.0.0.1 or "broker", valid for a
# century, and the certificate that signs itself. The password of the stores is
# "changeit", that of the key in the JKS keystore "keypass". Needs a JDK; the tests do not.
set -eu
cd "$(dirname "$0")/../../../engine/clientconfig/testdata"
rm -f ./*.jks ./*.p12 ./*.pem
keytool -genkeypair -alias broker -keyalg EC -groupname secp256r1 -dname CN=broker -ext san=ip:127.0.0.1,dns:localhost -ext bc=ca:true -validity 36500 \
    -storetype JKS -keystore key.jks -storepass changeit -keypass keypass 2>/dev/null
keytool -importkeystore -srckeystore key.jks -srcstorepass changeit -srckeypass keypass -srcalias broker \
    -destkeystore key.p12 -deststoretype PKCS12 -deststorepass changeit 2>/dev/null
keytool -exportcert -rfc -alias broker -keystore key.jks -storepass changeit >trust.pem 2>/dev/null
for type in JKS PKCS12; do
    suffix=$([ $type = JKS ] && echo jks || echo p12)
    keytool -importcert -noprompt -alias ca -file trust.pem -keystore trust.$suffix -storetype $type -storepass changeit 2>/dev/null
done
