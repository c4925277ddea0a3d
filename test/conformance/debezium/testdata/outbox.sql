-- Events that an application leaves in an outbox.
CREATE TABLE outbox (id uuid PRIMARY KEY, aggregatetype varchar(255) NOT NULL, aggregateid varchar(255) NOT NULL, type varchar(255) NOT NULL, payload jsonb, tenant text, happened timestamp);
CREATE TABLE other (id int PRIMARY KEY);
INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000001', 'order', '1', 'OrderCreated', '{"id": 1, "lines": [{"sku": "a", "n": 2}]}', 'acme', '2020-09-13 12:26:40.000');
-- @stream
INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000002', 'order', '1', 'OrderChanged', '{"id": 1, "total": 12.50, "open": true, "note": null, "tags": ["a", "b"], "to": {"city": "Köln"}}', 'acme', '2020-09-13 12:26:40.001');
INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000003', 'customer', 'c-9', 'CustomerLeft', NULL, NULL, '2020-09-13 12:26:40.002');
INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000004', 'customer', 'c-9', 'CustomerCame', '{}', 'umbra', '2020-09-13 12:26:40.003');
INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000005', 'Shipment', '', 'Sent', '{"text": "x"}', '', '2020-09-13 12:26:41');
INSERT INTO other VALUES (1);
UPDATE outbox SET tenant = 'nobody' WHERE aggregatetype = 'order';
DELETE FROM outbox;
BEGIN;
INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000006', 'order', '2', 'OrderCreated', '{"list": [1, 2, 3]}', 'acme', '2020-09-13 12:26:40.004');
DELETE FROM outbox;
COMMIT;
BEGIN;
INSERT INTO outbox VALUES ('00000000-0000-0000-0000-000000000007', 'order', '3', 'OrderCreated', '{"id": 3}', 'acme', '2020-09-13 12:26:40.005');
ROLLBACK;
