-- Names that have to be quoted, and that topics cannot have.
CREATE SCHEMA "Öffentlich";
CREATE SCHEMA "with.dot";
CREATE TABLE "UPPER" ("Id" int PRIMARY KEY, "Mixed Case" text, "select" int, "äöü" text, "1st" int, "a-b" int, "a.b" int, "with space" int);
CREATE TABLE "Öffentlich"."Täble" (id int PRIMARY KEY, "ключ" text);
CREATE TABLE "with.dot"."and.dot" (id int PRIMARY KEY);
CREATE TABLE a_name_of_sixty_three_bytes_a_name_of_sixty_three_bytes_a_name_ (a_name_of_sixty_three_bytes_a_name_of_sixty_three_bytes_a_name_ int PRIMARY KEY);
CREATE TABLE "quo""te" (id int PRIMARY KEY, "quo""te" int);
CREATE TABLE "a$b" (id int PRIMARY KEY);
INSERT INTO "UPPER" VALUES (1, 'x', 2, 'ä', 3, 4, 5, 6);
INSERT INTO "Öffentlich"."Täble" VALUES (1, 'значение');
INSERT INTO "with.dot"."and.dot" VALUES (1);
INSERT INTO "quo""te" VALUES (1, 1);
-- @stream
INSERT INTO "UPPER" VALUES (2, 'x', 2, 'ä', 3, 4, 5, 6);
UPDATE "UPPER" SET "Id" = 3 WHERE "Id" = 2;
INSERT INTO "Öffentlich"."Täble" VALUES (2, 'значение');
INSERT INTO "with.dot"."and.dot" VALUES (2);
INSERT INTO a_name_of_sixty_three_bytes_a_name_of_sixty_three_bytes_a_name_ VALUES (1);
INSERT INTO "quo""te" VALUES (2, 2);
INSERT INTO "a$b" VALUES (1);
DELETE FROM "UPPER" WHERE "Id" = 3;
